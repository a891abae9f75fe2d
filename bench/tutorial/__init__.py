"""The usual tutorial's function, rebuilt: what this product is measured against."""
