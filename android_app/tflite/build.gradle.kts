// Not built in CI; see settings.gradle.kts.

plugins {
    id("com.android.library")
}

val litert = providers.gradleProperty("litert").orNull

android {
    namespace = "io.mobilebench.tflite"
    compileSdk = 36

    defaultConfig {
        minSdk = 26
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    testOptions {
        unitTests.all {
            it.useJUnitPlatform()
            it.systemProperty("golden", rootDir.resolve("../tests/contract"))
            it.systemProperty("models", rootDir.resolve("../tests/fixtures/models"))
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
    if (litert == null) {
        implementation("org.tensorflow:tensorflow-lite:2.16.1")
        implementation("org.tensorflow:tensorflow-lite-api:2.16.1")
        implementation("org.tensorflow:tensorflow-lite-gpu:2.16.1")
        implementation("org.tensorflow:tensorflow-lite-gpu-api:2.14.0")
    } else {
        implementation("com.google.ai.edge.litert:litert:$litert")
    }

    testImplementation("org.junit.jupiter:junit-jupiter:5.10.2")
    testRuntimeOnly("org.junit.platform:junit-platform-launcher:1.10.2")
}
