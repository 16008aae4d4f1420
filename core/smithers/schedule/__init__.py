"""What may happen next: pure. Facts and a plan go in; states and a decision come out."""
