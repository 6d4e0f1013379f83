"""Pictures, each as SVG."""
