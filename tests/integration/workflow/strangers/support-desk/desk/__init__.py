BUNDLE_ID = "acme.support-desk"
