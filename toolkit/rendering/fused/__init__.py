"""Tri-grids rendered by kernels in Triton, for NVIDIA GPUs: what is read and decoded at a sample is never kept."""
