// For Android Studio. Not built in CI: the APK that ships is built by build.py, and
// tests/android_app/test_gradle.py holds these files to the same ids, levels and versions.

pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode = RepositoriesMode.FAIL_ON_PROJECT_REPOS
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "MobileBench"
include(":app", ":core", ":tflite", ":litert", ":litert-stubs")
project(":litert-stubs").projectDir = file("litert/stubs")
