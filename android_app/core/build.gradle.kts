// Not built in CI; see settings.gradle.kts.

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

tasks.compileTestJava {
    options.encoding = "UTF-8"
}

tasks.test {
    useJUnitPlatform()
    systemProperty("golden", rootDir.resolve("../tests/contract"))
}

dependencies {
    // The app brings the archive for Android, with other native libraries.
    compileOnly("com.github.luben:zstd-jni:1.5.7-4")
    implementation("org.tukaani:xz:1.9")
    implementation("com.google.code.gson:gson:2.13.2")

    testImplementation("com.github.luben:zstd-jni:1.5.7-4")
    testImplementation("org.junit.jupiter:junit-jupiter:5.10.2")
    testRuntimeOnly("org.junit.platform:junit-platform-launcher:1.10.2")
}
