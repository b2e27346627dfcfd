//! The extended header that stands before an entry: `LENGTH KEY=VALUE` lines (POSIX.1-2001 "pax").

use crate::fetch::unpack::header::Piece;
use crate::fetch::unpack::sparse::Map;

/// What an extended header says about the entry after it; what has no meaning here is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// GNU's sparse files: `GNU.sparse.*`.
    pub(super) sparse_name: Option<Vec<u8>>,
    pub(super) sparse_size: Option<u64>,
    pub(super) sparse_map: Option<Map>,
}

impl Extended {
    /// Reads the lines.
    pub(super) fn parse(mut lines: &[u8]) -> Result<Self, String> {
        let mut found = Self::default();
        // Some writers fill the rest of the block with zeros and count them in.
        while !lines.iter().all(|byte| *byte == 0) {
            let (key, value, rest) = first_line(lines).ok_or("an extended header is broken")?;
            found.note(key, value)?;
            lines = rest;
        }
        Ok(found)
    }

    fn note(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        match key {
            // An empty value takes back what a global header said, and those are not read.
            _ if value.is_empty() => {}
            b"path" => self.name = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(decimal(value)?),
            b"GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse_size = Some(decimal(value)?),
            b"GNU.sparse.map" => self.sparse_map = Some(Map::Here(pairs(value)?)),
            b"GNU.sparse.major" if value == b"1" => self.sparse_map = Some(Map::BeforeData),
            b"GNU.sparse.major" if value != b"0" => return Err("a sparse file has an unknown format".to_owned()),
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                return Err("a sparse file has format 0.0, which is not supported".to_owned());
            }
            _ => {}
        }
        Ok(())
    }
}

/// Splits off the first line, as key, value and the rest.
fn first_line(lines: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = lines.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&lines[..space]).ok()?).ok()?;
    let (line, rest) = lines.split_at_checked(length)?;
    let record = line.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], rest))
}

fn pairs(list: &[u8]) -> Result<Vec<Piece>, String> {
    let numbers = list.split(|byte| *byte == b',').map(decimal).collect::<Result<Vec<u64>, _>>()?;
    match numbers.as_chunks() {
        (pairs, []) => Ok(pairs.iter().map(|[offset, length]| (*offset, *length)).collect()),
        _ => Err("a sparse file's map is broken".to_owned()),
    }
}

/// Reads a number of decimal digits that a file can have.
pub(super) fn decimal(digits: &[u8]) -> Result<u64, String> {
    let number = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit));
    let number = number.and_then(|digits| digits.parse::<i64>().ok()).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| "an extended header holds no proper number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_their_own_length() {
        let found = Extended::parse(b"12 path=a\nb\n23 comment=ignored=yes\n13 size=1234\n\0\0").expect("fine");
        assert_eq!(found, Extended { name: Some(b"a\nb".to_vec()), size: Some(1234), ..Extended::default() });
    }

    #[test]
    fn what_is_broken_is_refused() {
        for bad in [
            b"9 path=a".as_slice(),
            b"99 path=a\n",
            b"0 path=a\n",
            b"2 \n",
            b"-9 path=a\n",
            b"path=a\n",
            b"7 path\n",
            b"99999999999999999999999 a=b\n",
            b"11 size=-1\n",
            b"29 size=9223372036854775808\n\n",
            b"22 GNU.sparse.major=2\n",
            b"25 GNU.sparse.map=1,2,3\n\n",
            b"23 GNU.sparse.offset=0\n",
        ] {
            assert!(Extended::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
