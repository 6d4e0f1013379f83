// Debian's adbd keeps Android's system properties inside its own process, and starts with none.
// Preloaded, this sets those of ADBD_PROPERTIES ("name=value;name=value") before main().
#include <cstdlib>
#include <string>

namespace android { namespace base {
bool SetProperty(const std::string &name, const std::string &value);
} }

__attribute__((constructor)) static void set_properties() {
    const char *given = getenv("ADBD_PROPERTIES");
    if (!given) return;
    const std::string text(given);
    for (size_t start = 0; start < text.size();) {
        size_t end = text.find(';', start);
        if (end == std::string::npos) end = text.size();
        const size_t middle = text.find('=', start);
        if (middle < end)
            android::base::SetProperty(text.substr(start, middle - start),
                                       text.substr(middle + 1, end - middle - 1));
        start = end + 1;
    }
    // What adbd starts must not inherit them.
    unsetenv("LD_PRELOAD");
    unsetenv("ADBD_PROPERTIES");
}
