"""The console: pages that show what the mesh does right now, and let people find an API, break it and watch it heal."""
