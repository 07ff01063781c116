"""The store: the files inside ``.gemexp``, each immutable, together mergeable by union."""
