"""The file `anatomy.npz` and the script that makes it."""
