"""Looking along rays through a tri-grid on a CPU, compiled by Numba: forward, and back for gradients."""
