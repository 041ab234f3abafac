"""The wardrobe: which garments there are, whether they are sound, and how they come and go."""
