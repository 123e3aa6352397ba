"""A page of runs and studies: what is read of them, the tables, curves and pictures, and the page itself."""
