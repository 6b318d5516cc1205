"""From a 3D representation and a camera to depths, masks, views, videos and meshes."""
