"""The kernels that are too long for their family: resampling, filters, and the lanes under both."""
