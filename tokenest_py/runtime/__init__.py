"""What runs inside the application: estimates, budgets, records. Standard library only."""
