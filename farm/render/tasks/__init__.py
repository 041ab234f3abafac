"""What render tasks do, free of Ray: compose, render and judge, encode; and how they are watched and admitted."""
