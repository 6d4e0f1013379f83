// Not built in CI; see settings.gradle.kts.

plugins {
    id("com.android.application")
}

// -Plitert=2.1.5 puts LiteRT of that version in TensorFlow Lite's place, with its CompiledModel.
val litert = providers.gradleProperty("litert").orNull

android {
    namespace = "io.mobilebench.agent"
    // Android 16: the manifest has an attribute of its (pageSizeCompat).
    compileSdk = 36

    defaultConfig {
        applicationId = "io.mobilebench.agent"
        minSdk = 26
        targetSdk = 35
        versionCode = 2000100
        versionName = "0.1.0"
        // How results call the runtime.
        resValue("string", "runtime_name", if (litert == null) "tensorflow-lite" else "litert")
        ndk {
            abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    packaging {
        jniLibs {
            // Stored and aligned to 16 KB, and mapped straight from the APK: extractNativeLibs="false".
            useLegacyPackaging = false
        }
    }

    signingConfigs {
        // The key of the APK that ships: one may be installed over the other.
        create("mobilebench") {
            storeFile = file("../debug.p12")
            storePassword = "android"
            keyAlias = "mobilebench"
            keyPassword = "android"
        }
    }

    buildTypes {
        // What is measured is never a debuggable build: those run slower.
        debug {
            isDebuggable = false
            signingConfig = signingConfigs["mobilebench"]
        }
        release {
            isMinifyEnabled = false
            signingConfig = signingConfigs["mobilebench"]
        }
    }

    testOptions {
        unitTests.all {
            it.useJUnitPlatform()
        }
    }
}

java {
    toolchain {
        languageVersion = JavaLanguageVersion.of(17)
    }
}

dependencies {
    implementation(project(":core"))
    implementation(project(":tflite"))
    if (litert != null) {
        implementation(project(":litert"))
    }
    // The core unpacks by it; Android's archive brings native libraries.
    implementation("com.github.luben:zstd-jni:1.5.7-4@aar")

    testImplementation("org.junit.jupiter:junit-jupiter:5.10.2")
    testRuntimeOnly("org.junit.platform:junit-platform-launcher:1.10.2")
}
