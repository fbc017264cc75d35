// SPDX-License-Identifier: Apache-2.0

import NIOSSL
import X509
