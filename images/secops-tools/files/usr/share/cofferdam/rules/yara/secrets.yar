// Keys that must not stand in a tree, by the shapes their issuers document.
rule private_key {
  strings:
    $pem = /-----BEGIN ((RSA|EC|OPENSSH|ENCRYPTED) )?PRIVATE KEY-----/
  condition:
    $pem
}

rule cloud_access_key {
  strings:
    $id = /(AKIA|ASIA)[0-9A-Z]{16}/ fullword
  condition:
    $id
}

rule forge_token {
  strings:
    $github = /gh[pousr]_[A-Za-z0-9]{36}/ fullword
    $gitlab = /glpat-[A-Za-z0-9_-]{20}/ fullword
  condition:
    any of them
}
