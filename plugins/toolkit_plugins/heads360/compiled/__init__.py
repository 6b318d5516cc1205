"""What is done for every ray or every strand's point, compiled by Numba."""
