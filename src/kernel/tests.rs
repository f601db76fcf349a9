//! The parts that need no kernel: reading hostile bytes, patching templates.
