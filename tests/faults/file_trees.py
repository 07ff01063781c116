"""Folders made of what `crash_states` says is in them."""

import os
import shutil
import stat


def build(tree, root):
    """Make a folder that holds a state's files; what was one file under several names is so again."""
    clear(root)
    os.mkdir(root)
    first = {}
    for path, (inode, number, content) in tree.items():
        target = f"{root}/{path}"
        if stat.S_ISDIR(inode.mode):
            os.mkdir(target)
        elif number in first:
            os.link(first[number], target)
        else:
            first[number] = target
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(inode.mode))
            os.write(descriptor, content)
            os.close(descriptor)
    for path, (inode, _, _) in reversed(tree.items()):  # folders after what is in them
        if inode.mtime >= 0:
            os.utime(f"{root}/{path}", ns=(inode.mtime, inode.mtime))


def clear(root):
    """Remove a folder, whatever modes are in it."""
    if os.path.isdir(root):
        shutil.rmtree(root)
