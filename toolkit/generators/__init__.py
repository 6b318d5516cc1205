"""What the generators of EG3D's family share: StyleGAN2 planes, a point decoder, volume rendering, super-resolution.

PanoHead, EG3D and SphereHead differ in the tensors that a point is read from and in what happens between the renderer
and super-resolution. A plugin derives from `VolumeGenerator` and says these two things; nothing else may assume them.
"""
