"""Many photographs: finding them, writing down what became of each, going on where one stopped, and a report."""
