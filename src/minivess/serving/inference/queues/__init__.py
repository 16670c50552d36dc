"""What is held of requests: places while they are read and judged, and long ones as jobs."""
