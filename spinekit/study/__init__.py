"""The study: radiomics, improved U-Net and Inception-ResNet compared on many cases, by patient."""
