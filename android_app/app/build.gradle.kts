// Not built in CI; see settings.gradle.kts.

plugins {
    id("com.android.application")
}

android {
    namespace = "io.mobilebench.agent"
    compileSdk = 35

    defaultConfig {
        applicationId = "io.mobilebench.agent"
        minSdk = 26
        targetSdk = 35
        versionCode = 2000100
        versionName = "0.1.0"
        ndk {
            abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64")
        }
    }

    // The core and the engine know no Android: the desktop agent is made of the same sources.
    sourceSets["main"].java.srcDirs("../core/src/main/java", "../tflite/src/main/java")

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    signingConfigs {
        create("mobilebench") {
            storeFile = file("../debug.p12")
            storePassword = "android"
            keyAlias = "mobilebench"
            keyPassword = "android"
        }
    }

    buildTypes {
        // What is measured is never a debuggable build: those run slower.
        release {
            isMinifyEnabled = false
            signingConfig = signingConfigs["mobilebench"]
        }
    }
}

dependencies {
    implementation("org.tensorflow:tensorflow-lite:2.16.1")
    implementation("org.tensorflow:tensorflow-lite-api:2.16.1")
    implementation("org.tensorflow:tensorflow-lite-gpu:2.16.1")
    implementation("org.tensorflow:tensorflow-lite-gpu-api:2.14.0")
    // What unpacks models; zstd-jni's Android archive brings native libraries.
    implementation("com.github.luben:zstd-jni:1.5.7-4@aar")
    implementation("org.tukaani:xz:1.9")
    implementation("com.google.code.gson:gson:2.13.2")
}
