// SPDX-License-Identifier: Apache-2.0
#include "engine/text/regex_translate.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <vector>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"

namespace gatescope {
namespace {

constexpr std::size_t maxPatternBytes = 65536;
constexpr int maxClassDepth = 16;

// Bodies of PCRE2 classes. PCRE2's own \s under UCP also takes U+180E, its \w leaves out marks.
constexpr std::string_view whiteSpace =
    R"(\x{09}-\x{0D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view notWhiteSpace =
    R"(\x{0}-\x{8}\x{E}-\x{1F}\x{21}-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF})"
    R"(\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";
// Oniguruma's Word is Alphabetic, M, Nd and Pc; outside classes a table of Latin-1 adds six
// numbers.
constexpr std::string_view wordInClass =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";
const std::string wordOutside = std::string(wordInClass) + R"(\xB2\xB3\xB9\xBC-\xBE)";
constexpr std::string_view hexDigit = "0-9A-Fa-f";

bool isAsciiLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool isAsciiDigit(char c) {
    return c >= '0' && c <= '9';
}
bool isHexDigit(char c) {
    return isAsciiDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string bracket(std::string_view body) {
    return fmt::format("[{}]", body);
}
std::string notBracket(std::string_view body) {
    return fmt::format("[^{}]", body);
}

/// The general categories; any other property name is taken for a script.
bool isGeneralCategory(std::string_view lower) {
    static constexpr std::array<std::string_view, 38> names = {
        "any", "c",  "cc", "cf", "cn", "co", "cs", "l",  "ll", "lm", "lo", "lt", "lu",
        "m",   "mc", "me", "mn", "n",  "nd", "nl", "no", "p",  "pc", "pd", "pe", "pf",
        "pi",  "po", "ps", "s",  "sc", "sk", "sm", "so", "z",  "zl", "zp", "zs"};
    for (const std::string_view name : names) {
        if (name == lower) return true;
    }
    return false;
}

class Translator {
  public:
    explicit Translator(std::string_view pattern) : m_in(pattern) {}

    std::string translate() {
        while (!atEnd()) translateNext();
        if (!canSkipRuns()) return m_out;
        return fmt::format("(?:{}|{}++(*SKIP)(*FAIL))", m_out, m_firstSet);
    }

  private:
    [[noreturn]] static void refuse(std::string_view what) {
        throw Error(
            fmt::format("the regular expression uses {}, which is not supported", printable(what)));
    }

    bool atEnd() const { return m_at == m_in.size(); }
    bool next(std::string_view text) const { return m_in.substr(m_at).starts_with(text); }
    char take() {
        if (atEnd()) throw Error("the regular expression ends too early");
        return m_in[m_at++];
    }
    bool takeIf(std::string_view text) {
        if (!next(text)) return false;
        m_at += text.size();
        return true;
    }

    void translateNext() {
        const std::size_t before = m_at;
        const char c = take();
        switch (c) {
            case '\\':
                putAtom(escape(), before);
                break;
            case '[':
                putAtom(characterClass(0), before);
                break;
            case '(':
                ++m_groupDepth;
                m_out += groupOpening();
                break;
            case ')':
                --m_groupDepth;
                m_out += c;
                break;
            case '|':
                m_branches = m_branches || m_groupDepth == 0;
                m_out += c;
                break;
            case '{':
                m_out += interval();
                break;
            default:
                m_out += c;
        }
    }

    void putAtom(const std::string& atom, std::size_t before) {
        m_out += atom;
        const bool greedyRun = next("+") && !next("++") && !next("+?");
        if (before == 0 && greedyRun && m_singleCharacter) m_firstSet = atom;
    }

    /// See the header: A+REST as the only branch. Without a REST nothing can fail late.
    bool canSkipRuns() const {
        return !m_firstSet.empty() && !m_branches && m_out.size() > m_firstSet.size() + 1;
    }

    // ---- outside classes

    std::string escape() {
        m_singleCharacter = true;
        const char c = take();
        switch (c) {
            case 's':
                return bracket(whiteSpace);
            case 'S':
                return notBracket(whiteSpace);
            case 'w':
                return bracket(wordOutside);
            case 'W':
                return notBracket(wordOutside);
            case 'h':
                return bracket(hexDigit);
            case 'H':
                return notBracket(hexDigit);
            case 'b':
                m_singleCharacter = false;
                return boundary(true);
            case 'B':
                m_singleCharacter = false;
                return boundary(false);
            case 'A':
            case 'z':
            case 'Z':
                m_singleCharacter = false;
                return {'\\', c};
            default:
                return commonEscape(c);
        }
    }

    /// \b (one side is a word character, the other is not) or \B (both or neither).
    static std::string boundary(bool sidesDiffer) {
        const std::string set = bracket(wordOutside);
        return fmt::format("(?:(?<={0})(?{1}{0})|(?<!{0})(?{2}{0}))", set, sidesDiffer ? '!' : '=',
                           sidesDiffer ? '=' : '!');
    }

    /// Escapes that read the same inside and outside a class; each is one character of a class.
    std::string commonEscape(char c) {
        switch (c) {
            case 'd':
                return "\\p{Nd}";
            case 'D':
                return "\\P{Nd}";
            case 'p':
            case 'P':
                return property(c);
            case 'n':
            case 't':
            case 'r':
            case 'f':
            case 'a':
            case 'e':
                return {'\\', c};
            case 'v':
                return "\\x{0B}";
            case 'x':
                return hexEscape();
            case 'u':
                return fmt::format("\\x{{{}}}", hexDigits(4));
            default:
                break;
        }
        if (isAsciiLetter(c) || isAsciiDigit(c)) refuse(std::string{'\\', c});
        const bool ascii = static_cast<unsigned char>(c) < 0x80;
        return ascii ? std::string{'\\', c} : std::string(1, c);
    }

    std::string hexDigits(std::size_t count) {
        std::string digits;
        while (digits.size() < count) {
            const char c = take();
            if (!isHexDigit(c)) refuse("\\u or \\x without its digits");
            digits += c;
        }
        return digits;
    }

    std::string hexEscape() {
        if (!takeIf("{")) {
            const std::string digits = hexDigits(2);
            // To Oniguruma \xHH is a byte, which is a character only below 80.
            if (digits[0] >= '8') refuse("\\x" + digits);
            return fmt::format("\\x{{{}}}", digits);
        }
        std::string digits;
        for (char c = take(); c != '}'; c = take()) {
            if (!isHexDigit(c) || digits.size() == 8) refuse("\\x{" + digits + c);
            digits += c;
        }
        return fmt::format("\\x{{{}}}", digits);
    }

    std::string property(char letter) {
        if (!takeIf("{")) refuse(std::string{'\\', letter} + " without braces");
        const bool negated = takeIf("^");
        std::string name, lower;
        for (char c = take(); c != '}'; c = take()) {
            if (name.size() == 64) refuse("\\p{" + name);
            name += c;
            const bool ignored = c == ' ' || c == '_' || c == '-';
            if (!ignored) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        }
        for (const char c : lower) {
            if (!isAsciiLetter(c) && !isAsciiDigit(c)) refuse("\\p{" + name + "}");
        }
        const bool complement = negated != (letter == 'P');
        const std::string which = isGeneralCategory(lower) ? canonical(lower) : "sc:" + lower;
        return (complement ? "\\P{" : "\\p{") + which + "}";
    }

    static std::string canonical(std::string category) {
        category[0] = static_cast<char>(category[0] - 32);
        return category;
    }

    std::string groupOpening() {
        m_singleCharacter = false;
        if (next("*")) refuse("(*");
        if (!takeIf("?")) return "(?:";
        for (const std::string_view plain : {":", "=", "!", ">", "<=", "<!"}) {
            if (takeIf(plain)) return fmt::format("(?{}", plain);
        }
        if (takeIf("<")) {
            while (take() != '>') {
            }
            return "(?:";
        }
        return optionGroup();
    }

    /// (?i:...), (?m:...), or (?i) at the very start, where both libraries give it the same reach.
    std::string optionGroup() {
        const bool first = m_at == 2;
        std::string flags = "(?";
        for (char c = take();; c = take()) {
            if (c == 'i' || c == '-') {
                flags += c;
            } else if (c == 'm') {
                flags += 's';
            } else if (c == ':') {
                return flags + ":";
            } else if (c == ')' && first) {
                --m_groupDepth;
                return flags + ")";
            } else {
                refuse("the group (?" + std::string(1, c));
            }
        }
    }

    std::string interval() {
        std::size_t at = m_at;
        const auto digits = [&] {
            const std::size_t begin = at;
            while (at < m_in.size() && isAsciiDigit(m_in[at])) ++at;
            return std::string(m_in.substr(begin, at - begin));
        };
        std::string least = digits();
        std::string most = least;
        const bool comma = at < m_in.size() && m_in[at] == ',';
        if (comma) {
            ++at;
            most = digits();
        }
        const bool closed = at < m_in.size() && m_in[at] == '}';
        if (!closed || (least.empty() && most.empty())) return "\\{";
        m_at = at + 1;
        // Oniguruma reads {n}? as optional and {n,m}+ as a repeated interval.
        if (next("+") || (!comma && next("?"))) refuse("an interval with a suffix");
        if (least.empty()) least = "0";
        return comma ? fmt::format("{{{},{}}}", least, most) : fmt::format("{{{}}}", least);
    }

    // ---- classes

    /// A class being read: what fits between PCRE2's brackets, and parts that do not.
    struct Union {
        std::string items;
        std::vector<std::string> atoms;

        bool empty() const { return items.empty() && atoms.empty(); }
        std::string alternatives() const {
            std::string out = items.empty() ? "" : bracket(items);
            for (const std::string& atom : atoms) out += (out.empty() ? "" : "|") + atom;
            return out;
        }
        std::string atom() const {
            return atoms.empty() ? bracket(items) : fmt::format("(?:{})", alternatives());
        }
    };

    /// After '[' to the matching ']': an expression that matches exactly one character.
    std::string characterClass(int depth) {
        m_singleCharacter = true;
        if (depth == maxClassDepth) refuse("deeply nested classes");
        const bool negated = takeIf("^");
        std::vector<Union> parts(1);
        if (takeIf("]")) parts.back().items = "\\]";
        while (!takeIf("]")) {
            if (takeIf("&&")) {
                if (parts.back().empty()) refuse("an empty class");
                parts.emplace_back();
            } else {
                classItem(parts.back(), depth);
            }
        }
        if (parts.back().empty()) refuse("an empty class");
        if (parts.size() == 1 && parts[0].atoms.empty()) {
            return negated ? notBracket(parts[0].items) : bracket(parts[0].items);
        }
        std::string all;
        for (std::size_t i = 0; i + 1 < parts.size(); ++i)
            all += fmt::format("(?={})", parts[i].atom());
        all += parts.back().atom();
        return negated ? fmt::format("(?:(?!{})\\p{{Any}})", all) : fmt::format("(?:{})", all);
    }

    void classItem(Union& set, int depth) {
        const char c = take();
        if (c == '[') {
            if (next(":")) refuse("a POSIX bracket");
            closeRange(set);
            set.atoms.push_back(characterClass(depth + 1));
            openRange(set);
        } else if (c == '\\') {
            classEscape(set, take());
        } else {
            // Literal to both, but PCRE2 would take an unescaped '^' or '[' for syntax.
            if (c == '^') set.items += '\\';
            set.items += c;
        }
    }

    void classEscape(Union& set, char c) {
        const auto putSet = [&](std::string_view items) {
            closeRange(set);
            set.items += items;
            openRange(set);
        };
        switch (c) {
            case 's':
                return putSet(whiteSpace);
            case 'S':
                return putSet(notWhiteSpace);
            case 'w':
                return putSet(wordInClass);
            case 'h':
                return putSet(hexDigit);
            case 'W':
                set.atoms.push_back(notBracket(wordInClass));
                return openRange(set);
            case 'H':
                set.atoms.push_back(notBracket(hexDigit));
                return openRange(set);
            case 'd':
            case 'D':
            case 'p':
            case 'P':
                return putSet(commonEscape(c));
            case 'b':
                set.items += "\\x{08}";
                return;
            default:
                set.items += commonEscape(c);
        }
    }

    /// A hyphen before or after a set is a hyphen, never a range: say so where a set is spelt out.
    void closeRange(Union& set) {
        if (set.items == "-" || (set.items.ends_with('-') && !set.items.ends_with("\\-"))) {
            set.items.back() = '\\';
            set.items += '-';
        }
    }
    void openRange(Union& set) {
        if (takeIf("-")) set.items += "\\-";
    }

    std::string_view m_in;
    std::size_t m_at = 0;
    std::string m_out;
    std::string m_firstSet;  ///< the A of a leading greedy A+
    int m_groupDepth = 0;
    bool m_branches = false;         ///< a '|' outside all groups
    bool m_singleCharacter = false;  ///< the last atom matches exactly one character
};

}  // namespace

std::string translateOnigurumaRegex(std::string_view pattern) {
    if (pattern.size() > maxPatternBytes) {
        throw Error("the regular expression is longer than 65536 bytes");
    }
    return Translator(pattern).translate();
}

}  // namespace gatescope
