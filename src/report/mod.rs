//! Facts → document → text. Pure; a renderer never computes.
