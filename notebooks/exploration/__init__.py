"""What the cells of the notebooks call: functions that compute, draw, and say in a sentence what it shows."""
