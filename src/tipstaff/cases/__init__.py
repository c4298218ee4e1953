"""What is alleged against whom, its state and its clock. It never acts on a device and sends no letter."""
