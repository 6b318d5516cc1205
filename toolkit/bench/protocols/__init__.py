"""What is measured: one class per protocol, the metrics that it asks, rows and intervals."""
