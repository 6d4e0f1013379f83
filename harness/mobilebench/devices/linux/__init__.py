"""Linux boards, over adb and over ssh."""
