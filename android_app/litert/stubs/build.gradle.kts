// Not built in CI; see settings.gradle.kts.
//
// The signatures of LiteRT's CompiledModel, to compile and test the engine against: in no app.

plugins {
    `java-library`
}

java {
    toolchain {
        languageVersion = JavaLanguageVersion.of(17)
    }
}

tasks.compileJava {
    options.encoding = "UTF-8"
    options.release = 8
}
