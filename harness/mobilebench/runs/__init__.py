"""What happens when: plan, run, gate, calibrate, compare, history."""
