"""What a run writes down and reads again: records of finished work, results, small pictures of heads."""
