"""Links in all Markdown files of the repository lead somewhere: relative paths exist, anchors are headings (as
GitHub names them) or HTML ids of the page; no two headings that are linked share a name; addresses are https.
usage: links.py ROOT [...]"""
import pathlib
import re
import sys
import urllib.parse

SKIPPED = {'.git', 'build', 'quickstart-results', 'node_modules'}
LINK = re.compile(r'!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s<>]*(?:\([^()\s]*\)[^()\s]*)*)>?(?:\s+"[^"]*")?\s*\)')
REFERENCE = re.compile(r'^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s+"[^"]*")?\s*$', re.M)


def pages(root):
    for path in sorted(root.rglob('*.md')):
        parts = path.relative_to(root).parts
        if not any(p in SKIPPED or p.startswith('build') for p in parts):
            yield path


def prose(text):
    """Without fenced blocks and code between backticks, lines kept."""
    out, fence = [], None
    for line in text.split('\n'):
        mark = re.match(r'\s*(```+|~~~+)', line)
        if fence:
            if mark and mark[1].startswith(fence):
                fence = None
            out.append('')
        elif mark:
            fence = mark[1]
            out.append('')
        else:
            out.append(line)
    return '\n'.join(out)


def without_code(text):
    return re.sub(r'(`+)(?!`)(.+?)(?<!`)\1(?!`)', lambda m: ' ' * len(m[0]), text)


def anchors(text):
    """Names of a page's headings, numbered when they repeat, and its HTML ids."""
    seen, names = {}, set(re.findall(r'<\w+[^>]*\s(?:id|name)="([^"]+)"', text))
    for heading in re.findall(r'^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*$', text, flags=re.M):
        heading = re.sub(r'!?\[([^\]]*)\]\([^)]*\)', r'\1', heading)  # the text of a link
        name = re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        count = seen.get(name, 0)
        seen[name] = count + 1
        names.add(f'{name}-{count}' if count else name)
    return names


def problem(page, target, known):
    """What is wrong with a link of `page`, or None."""
    if re.match(r'[a-z][a-z0-9+.-]*:', target):
        return f'{target}: not https' if target.startswith('http:') else None
    path, _, anchor = target.partition('#')
    other = (page.parent / urllib.parse.unquote(path)) if path else page
    if not other.exists():
        return f'{target}: no such file'
    if anchor and other.suffix == '.md':
        other = other.resolve()
        if other not in known:
            known[other] = anchors(prose(other.read_text()))
        if urllib.parse.unquote(anchor) not in known[other]:
            near = ', '.join(sorted(known[other])[:8])
            return f'{target}: no heading of that name; there are {near} ...'
    return None


def check(root):
    """[(page, line, what is wrong)] and the number of links."""
    found, links, known = [], 0, {}
    for page in pages(root):
        text = without_code(prose(page.read_text()))
        for pattern in (LINK, REFERENCE):
            for match in pattern.finditer(text):
                links += 1
                wrong = problem(page, match[1], known)
                if wrong:
                    found.append((page.relative_to(root), text.count('\n', 0, match.start()) + 1, wrong))
    return found, links


def main():
    found, links = check(pathlib.Path(sys.argv[1]).resolve())
    for page, line, wrong in found:
        print(f'{page}:{line}: {wrong}')
    if not found:
        print(f'links: {links} lead somewhere')
    return 1 if found or links == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
