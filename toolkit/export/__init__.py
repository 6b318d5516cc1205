"""What a person looks at or keeps: sheets of views, orbit videos, pages to turn a head on, meshes."""
