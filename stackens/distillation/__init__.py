"""Distillation: any teacher into one small student that keeps its gain."""
