//! Pictures: a file of the run, and a cell that has its size and its caption. Pure.

use serde_json::json;

use super::{Medium, Value, path};
use crate::base::Digest;

/// A picture as a PNG.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub key: String,
    pub caption: String,
    pub png: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

impl Image {
    /// As it belongs to a step of the run.
    pub fn medium(self, step: u64) -> Medium {
        let sha256 = Digest::of(&self.png).hex();
        let path = path("images", &self.key, step, &sha256, ".png");
        let mut cell = json!({
            "_type": "image-file",
            "path": path,
            "sha256": sha256,
            "size": self.png.len(),
            "format": "png",
            "width": self.width,
            "height": self.height,
        });
        if !self.caption.is_empty() {
            cell["caption"] = self.caption.into();
        }
        Medium {
            path,
            bytes: self.png,
            cell: Value::Json(cell),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// A red picture of 3 × 2 by Pillow; path and cell are those of the official client 0.31.0.
    #[test]
    fn the_cell_is_the_one_of_the_official_client() {
        let png = STANDARD
            .decode(
                "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGP8zwAFTDAGAwATKQED8NgHhAAAAABJRU5ErkJggg==",
            )
            .unwrap();
        let image = Image {
            key: "plots/im".to_owned(),
            caption: "a red one".to_owned(),
            png,
            width: 3,
            height: 2,
        };
        let mut cell = json!({
            "_type": "image-file", "format": "png", "width": 3, "height": 2, "size": 73, "caption": "a red one",
            "sha256": "e3912111240cc23d3907176b114871cb7c9c47e3f55202afa61554de07f4baa9",
            "path": "media/images/plots/im_1_e3912111240cc23d3907.png",
        });
        let medium = image.clone().medium(1);
        assert_eq!(medium.path, "media/images/plots/im_1_e3912111240cc23d3907.png");
        assert_eq!(medium.bytes, image.png);
        assert_eq!(medium.cell, Value::Json(cell.clone()));
        cell.as_object_mut().unwrap().remove("caption");
        let silent = Image {
            caption: String::new(),
            ..image
        };
        assert_eq!(silent.medium(1).cell, Value::Json(cell));
    }
}
