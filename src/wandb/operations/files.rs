//! What an artifact is filled with: the list of its files, the files, large ones in parts.

use serde::{Deserialize, Serialize};

use super::shapes::{Id, Input, Nodes};
use super::{COMPLETE_MULTIPART, CREATE_ARTIFACT_FILES, CREATE_ARTIFACT_MANIFEST, malformed};
use crate::wandb::client::Client;
use crate::wandb::error::WandbError;

/// The list of an artifact's files, to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CreateManifest {
    pub artifact: String,
    /// The version that the new one follows.
    pub base: Option<String>,
    /// Of the file with the list, as Base64 of MD5; empty as long as it is not known.
    pub digest: String,
    pub entity: String,
    pub project: String,
    /// Empty if the artifact comes from no run.
    pub run: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestUpload {
    pub id: String,
    /// None: W&B has it.
    pub url: Option<String>,
    /// `Name:value`.
    pub headers: Vec<String>,
}

/// Announces the list of files, and again when its digest is known.
pub async fn create_artifact_manifest(
    client: &Client,
    manifest: &CreateManifest,
) -> Result<ManifestUpload, WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        create_artifact_manifest: Option<Payload>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        artifact_manifest: Made,
    }
    #[derive(Deserialize)]
    struct Made {
        id: String,
        file: File,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct File {
        upload_url: Option<String>,
        upload_headers: Vec<String>,
    }
    let variables = ManifestVariables::of(manifest);
    let answer: Answer = client.execute(&CREATE_ARTIFACT_MANIFEST, &variables).await?;
    let made = answer
        .create_artifact_manifest
        .ok_or_else(|| malformed(&CREATE_ARTIFACT_MANIFEST, "it has no payload"))?
        .artifact_manifest;
    Ok(ManifestUpload {
        id: made.id,
        url: made.file.upload_url.filter(|url| !url.is_empty()),
        headers: made.file.upload_headers,
    })
}

#[derive(Serialize)]
pub(super) struct ManifestVariables<'a> {
    #[serde(flatten)]
    manifest: &'a CreateManifest,
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<'a> ManifestVariables<'a> {
    pub fn of(manifest: &'a CreateManifest) -> Self {
        Self {
            manifest,
            name: "wandb_manifest.json",
            kind: "FULL",
        }
    }
}

/// A file of an artifact, to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ArtifactFileSpec {
    #[serde(rename = "artifactID")]
    pub artifact: String,
    #[serde(rename = "artifactManifestID", skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Its path in the artifact.
    pub name: String,
    /// Base64.
    pub md5: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mimetype: Option<String>,
    /// Of a file that is too large for one request.
    #[serde(rename = "uploadPartsInput", skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A piece of a large file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// From 1.
    #[serde(rename = "partNumber")]
    pub number: u64,
    /// Hexadecimal digits of the MD5; when an upload is completed, the `ETag` to the letter.
    #[serde(rename = "hexMD5")]
    pub hex_md5: String,
}

/// Where a file of an artifact goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUpload {
    /// None, and no parts: W&B has the content.
    pub url: Option<String>,
    /// `Name:value`.
    pub headers: Vec<String>,
    pub multipart: Option<MultipartUpload>,
    pub storage_path: Option<String>,
    /// The artifact that first had this file, which its entry in the manifest must name.
    pub birth_artifact: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipartUpload {
    pub id: String,
    /// Number and address.
    pub parts: Vec<(u64, String)>,
}

/// Announces files of an artifact; answers in the same order.
pub async fn create_artifact_files(client: &Client, files: &[ArtifactFileSpec]) -> Result<Vec<FileUpload>, WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        create_artifact_files: Option<Payload>,
    }
    #[derive(Deserialize)]
    struct Payload {
        files: Nodes<File>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct File {
        storage_path: Option<String>,
        upload_url: Option<String>,
        upload_headers: Vec<String>,
        upload_multipart_urls: Option<Multipart>,
        artifact: Option<Id>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Multipart {
        #[serde(rename = "uploadID")]
        upload_id: String,
        upload_url_parts: Vec<UrlPart>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct UrlPart {
        part_number: u64,
        upload_url: String,
    }
    let input = Input {
        input: FilesInput::of(files),
    };
    let answer: Answer = client.execute(&CREATE_ARTIFACT_FILES, &input).await?;
    let payload = answer
        .create_artifact_files
        .ok_or_else(|| malformed(&CREATE_ARTIFACT_FILES, "it has no payload"))?;
    let found: Vec<File> = payload.files.into_values().collect();
    if found.len() != files.len() {
        let why = format!("it has {} files for {}", found.len(), files.len());
        return Err(malformed(&CREATE_ARTIFACT_FILES, why));
    }
    found
        .into_iter()
        .map(|file| {
            Ok(FileUpload {
                url: file.upload_url.filter(|url| !url.is_empty()),
                headers: file.upload_headers,
                multipart: file.upload_multipart_urls.map(|multipart| MultipartUpload {
                    id: multipart.upload_id,
                    parts: multipart
                        .upload_url_parts
                        .into_iter()
                        .map(|part| (part.part_number, part.upload_url))
                        .collect(),
                }),
                storage_path: file.storage_path,
                birth_artifact: file
                    .artifact
                    .ok_or_else(|| malformed(&CREATE_ARTIFACT_FILES, "a file has no artifact"))?
                    .id,
            })
        })
        .collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FilesInput<'a> {
    artifact_files: &'a [ArtifactFileSpec],
    storage_layout: &'static str,
}

impl<'a> FilesInput<'a> {
    pub fn of(files: &'a [ArtifactFileSpec]) -> Self {
        Self {
            artifact_files: files,
            storage_layout: "V2",
        }
    }
}

/// All parts of a large file are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompleteMultipart {
    /// The one that first had the file.
    pub artifact: String,
    /// In the storage.
    pub path: String,
    pub upload: String,
    pub parts: Vec<Part>,
}

/// Lets storage put the parts of a file together.
pub async fn complete_multipart(client: &Client, upload: &CompleteMultipart) -> Result<(), WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        complete_multipart_upload_artifact: Option<Done>,
    }
    #[derive(Deserialize)]
    struct Done {}
    let variables = CompleteVariables::of(upload);
    let answer: Answer = client.execute(&COMPLETE_MULTIPART, &variables).await?;
    match answer.complete_multipart_upload_artifact {
        Some(Done {}) => Ok(()),
        None => Err(malformed(&COMPLETE_MULTIPART, "it has no payload")),
    }
}

#[derive(Serialize)]
pub(super) struct CompleteVariables<'a> {
    action: &'static str,
    #[serde(flatten)]
    upload: &'a CompleteMultipart,
}

impl<'a> CompleteVariables<'a> {
    pub fn of(upload: &'a CompleteMultipart) -> Self {
        Self {
            action: "Complete",
            upload,
        }
    }
}
