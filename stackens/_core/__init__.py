"""What every layer above shares: the task, the scikit-learn bridge, parallel runs."""
