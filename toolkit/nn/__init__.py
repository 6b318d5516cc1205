"""Building blocks that several generators and encoders share."""
