"""The proof: histories of runs, a checker that judges them, and faults of the product to try it on."""
