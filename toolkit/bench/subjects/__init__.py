"""What is compared: pictures, methods, and the heads that methods make of pictures."""
