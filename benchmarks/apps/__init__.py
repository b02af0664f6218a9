"""HTTP applications to measure, one module for each way of protecting a route."""
