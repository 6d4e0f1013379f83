// Not built in CI; see settings.gradle.kts.
//
// The engine on LiteRT's CompiledModel. It is compiled against LiteRT where -Plitert=VERSION names
// one, and else against the stubs of its signatures, which are in no app. The tests run on the
// stubs: leave -Plitert out for them.

plugins {
    id("com.android.library")
}

val litert = providers.gradleProperty("litert").orNull

android {
    namespace = "io.mobilebench.litert"
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
    implementation(project(":tflite"))
    if (litert == null) {
        compileOnly(project(":litert-stubs"))
    } else {
        compileOnly("com.google.ai.edge.litert:litert:$litert")
    }

    testImplementation(project(":litert-stubs"))
    testImplementation("org.junit.jupiter:junit-jupiter:5.10.2")
    testRuntimeOnly("org.junit.platform:junit-platform-launcher:1.10.2")
}
