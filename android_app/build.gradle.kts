// Not built in CI; see settings.gradle.kts.

plugins {
    id("com.android.application") version "8.11.1" apply false
    id("com.android.library") version "8.11.1" apply false
}
