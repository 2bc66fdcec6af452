//! On which lines of its file the source of each cell stands. Pure.

/// For each cell, the line of the file on which each line of its source is written, from 1 on.
///
/// `text` is JSON that was parsed before; on anything else the answer is short, or empty.
pub fn source_lines(text: &str) -> Vec<Vec<usize>> {
    let mut walk = Walk {
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        cells: Vec::new(),
    };
    let _ = walk.notebook(); // What was found up to a mistake is what there is.
    walk.cells
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    cells: Vec<Vec<usize>>,
}

impl Walk<'_> {
    fn notebook(&mut self) -> Option<()> {
        self.members(|walk, key| {
            if key == b"cells" && walk.peek()? == b'[' {
                walk.cells.clear();
                walk.elements(Self::cell)
            } else {
                walk.skip()
            }
        })
    }

    fn cell(&mut self) -> Option<()> {
        let index = self.cells.len();
        self.cells.push(Vec::new());
        self.members(|walk, key| {
            if key != b"source" {
                return walk.skip();
            }
            walk.cells[index].clear();
            if walk.peek()? == b'[' {
                walk.elements(|walk| walk.piece(index))
            } else {
                walk.piece(index)
            }
        })
    }

    /// A string of a source, which may hold many lines or end in the middle of one.
    fn piece(&mut self, index: usize) -> Option<()> {
        self.peek()?;
        let line = self.line;
        let text = self.string()?;
        let n_ends = text.windows(2).filter(|pair| *pair == b"\\n").count();
        let ends_line = text.ends_with(b"\\n");
        let n_lines = n_ends + usize::from(!ends_line && !text.is_empty());
        self.cells[index].extend(std::iter::repeat_n(line, n_lines));
        Some(())
    }

    fn members(&mut self, mut each: impl FnMut(&mut Self, &[u8]) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            return self.expect(b'}');
        }
        loop {
            self.peek()?;
            let key = self.string()?.to_vec();
            self.expect(b':')?;
            each(self, &key)?;
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            return self.expect(b']');
        }
        loop {
            each(self)?;
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Any value; without recursion, so that no depth is too deep.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' => self.at += 1,
                _ => {
                    let start = self.at;
                    while self
                        .bytes
                        .get(self.at)
                        .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                    {
                        self.at += 1;
                    }
                    // No letter or digit of a word or number: this is no JSON.
                    if self.at == start {
                        return None;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// The inside of a string, with its escapes.
    fn string(&mut self) -> Option<&[u8]> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        let end = self.at;
        self.at += 1;
        self.bytes.get(start..end)
    }

    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at)? {
                b'\n' => {
                    self.line += 1;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                other => return Some(*other),
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }
}
